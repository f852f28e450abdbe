#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
exec databricks auth token --profile fmapi-claudecode-profile
