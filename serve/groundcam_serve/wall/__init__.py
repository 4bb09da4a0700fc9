"""The live wall: pictures of cameras with what was found in them, sent to pages that look, each at its own pace."""
