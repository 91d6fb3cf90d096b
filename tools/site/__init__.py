"""The built HTML: browser assets, Sphinx extensions, the build and its checks."""
