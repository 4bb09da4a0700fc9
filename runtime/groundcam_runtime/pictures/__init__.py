"""Reading JPEGs and drawing boxes, without torch."""
