"""What samssl is measured by: `python -m benchmarks`, and scripts that are run one by one."""
