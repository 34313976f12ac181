"""The container images: what they are made of (`images.yaml`) and how they are built (`python -m
images.build`).
"""
