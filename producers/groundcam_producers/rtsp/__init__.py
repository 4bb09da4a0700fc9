"""What stands between FFmpeg and a camera: the connection, its TLS, the login and the bounds on what is answered."""
