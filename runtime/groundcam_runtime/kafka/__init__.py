"""The only package that imports kafka-python. Every rule in it that looks odd avoids a trap that was seen."""
