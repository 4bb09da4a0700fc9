"""What is sent to whom, when it is tried again, and what may be committed. Pure: time and chance come in."""
