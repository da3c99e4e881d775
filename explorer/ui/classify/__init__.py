"""The page that says what a trained network sees in the images dropped on the window."""
