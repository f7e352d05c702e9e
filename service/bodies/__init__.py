"""What callers may send: files, arrays and JSON, each turned into a FrameSequence."""
