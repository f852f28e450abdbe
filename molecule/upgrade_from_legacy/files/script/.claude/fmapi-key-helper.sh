#!/bin/sh
exec databricks auth token --profile fmapi-claudecode-profile
