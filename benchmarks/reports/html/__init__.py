"""Write runs as one HTML page that needs only a browser."""
