"""Frames that may have ended a process, tried one by one."""
