"""What tests of passes need."""
