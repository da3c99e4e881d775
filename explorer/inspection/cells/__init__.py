"""Where the cells of feature maps lie in tensors and what they see, from layer to layer."""
