"""A generator for other programs: as a list of operations, as ONNX, as safetensors."""
