"""The 3D network: backbones, heads, the model folder, export and inference."""
