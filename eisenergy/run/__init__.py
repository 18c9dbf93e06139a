"""The month as a job: bill and issue every contract, and run notebooks for them through Papermill."""
