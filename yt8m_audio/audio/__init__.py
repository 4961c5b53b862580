"""From sound to features: log-mel bands, and the bytes that records hold."""
