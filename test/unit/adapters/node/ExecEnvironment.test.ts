import { describe, expect, it } from "vitest"
import * as ExecEnvironment from "../../../../src/adapters/node/ExecEnvironment.js"

describe("ExecEnvironment", () => {
  const own = {
    PATH: "/bin",
    HOME: "/home/me",
    LC_ALL: "C",
    ANTHROPIC_API_KEY: "key",
    AWS_SECRET_ACCESS_KEY: "key",
    NODE_OPTIONS: "--require x",
    TERM: "xterm",
    TZ: undefined
  }
  const quiet = { TERM: "dumb", PAGER: "cat", GIT_PAGER: "cat", GIT_TERMINAL_PROMPT: "0" }

  it("passes on the variables on its list and no others", () => {
    expect(ExecEnvironment.make("linux", own, [])).toEqual({ PATH: "/bin", HOME: "/home/me", LC_ALL: "C", ...quiet })
  })

  it("passes on variables that a host names, with their case significant", () => {
    expect(ExecEnvironment.make("darwin", own, ["NODE_OPTIONS", "anthropic_api_key"])).toEqual({
      PATH: "/bin",
      HOME: "/home/me",
      LC_ALL: "C",
      NODE_OPTIONS: "--require x",
      ...quiet
    })
  })

  it("passes on the variables that commands need to reach the network and toolchains", () => {
    const needed = {
      SSH_AUTH_SOCK: "/run/agent",
      HTTPS_PROXY: "http://proxy",
      http_proxy: "http://proxy",
      no_proxy: "localhost",
      NODE_EXTRA_CA_CERTS: "/ca.pem",
      XDG_RUNTIME_DIR: "/run/user/1",
      XDG_CONFIG_HOME: "/home/me/.config",
      VIRTUAL_ENV: "/venv",
      JAVA_HOME: "/jdk"
    }
    expect(ExecEnvironment.make("linux", { ...needed, XDGX: "", MY_PROXY: "" }, [])).toEqual({ ...needed, ...quiet })
  })

  it("ignores the case of variables on Windows", () => {
    expect(ExecEnvironment.make("win32", { Path: "C:\\", SystemRoot: "C:\\Windows", Secret: "x" }, ["key"])).toEqual({
      Path: "C:\\",
      SystemRoot: "C:\\Windows",
      ...quiet
    })
  })
})
