"""AudioSet's own files: its segments, its classes, and what is known of their labels."""
