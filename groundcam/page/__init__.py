"""`groundcam watch --html PORT`: a page with the newest picture of each camera and what was found in it."""
