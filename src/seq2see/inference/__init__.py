"""Text in, predictions out, on either engine."""
