"""Frameworks that run the code under test. One file for each; nothing outside them imports one."""
