"""What a network is trained for: its loss, its metrics and the form of its trained weights."""
