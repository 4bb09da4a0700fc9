"""What comes out of FFmpeg, and what it says about itself."""
