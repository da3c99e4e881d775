"""Architecture Explorer: look up, inspect, train and try convolutional networks."""
