alias ll='ls -l'

# >>> dbx-fmapi-claude wrapper >>>
dbx-fmapi-claude() {
  local sf="/home/older_script/.claude/settings.json"
  [[ ! -f "$sf" ]] && { command claude "$@"; return; }

  local token host profile="my-profile"
  token=$(jq -r '.env.ANTHROPIC_AUTH_TOKEN // empty' "$sf")
  if [[ -z "$token" ]] || \
     [[ "$(curl -s "$host/api/2.0/x")" != "200" ]]; then
    local new_token=""
    new_token=$(databricks auth token --profile "$profile") || true
    if [[ -z "$new_token" ]]; then
      databricks auth login --host "$host" --profile "$profile"
    else
      echo "[dbx-fmapi-claude] Error" >&2
      return 1
    fi
  fi

  command claude "$@"
}
# <<< dbx-fmapi-claude wrapper <<<
export EDITOR=vi
