"""Bodies of requests: files, arrays and JSON, each decoded into a FrameSequence. Answers are in service/answers."""
