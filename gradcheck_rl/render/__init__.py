"""Renderers: reports in, text out. Each stands alone, computes nothing and is imported by who wants its format."""
