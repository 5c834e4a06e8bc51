"""The host runtime: a program image is compiled by the system C++ compiler and run by CPU threads, one a vEU."""
