"""The Compare page: two networks side by side."""
