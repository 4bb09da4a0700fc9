"""What is wrong here, in words, before anything is started."""
