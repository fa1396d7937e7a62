import { describe, expect, it } from "vitest"
import * as ExecEnvironment from "../../../../src/adapters/node/ExecEnvironment.js"

describe("ExecEnvironment", () => {
  const own = {
    PATH: "/bin",
    HOME: "/home/me",
    LC_ALL: "C",
    ANTHROPIC_API_KEY: "key",
    SSH_AUTH_SOCK: "/run/agent",
    HTTPS_PROXY: "http://user:password@proxy",
    NODE_OPTIONS: "--require x",
    TERM: "xterm",
    TZ: undefined
  }
  const quiet = { TERM: "dumb", PAGER: "cat", GIT_PAGER: "cat", GIT_TERMINAL_PROMPT: "0" }

  it("passes on what is on the list and nothing else", () => {
    expect(ExecEnvironment.make("linux", own, [])).toEqual({ PATH: "/bin", HOME: "/home/me", LC_ALL: "C", ...quiet })
  })

  it("passes on what a host names, letters as they are", () => {
    expect(ExecEnvironment.make("darwin", own, ["SSH_AUTH_SOCK", "anthropic_api_key"])).toEqual({
      PATH: "/bin",
      HOME: "/home/me",
      LC_ALL: "C",
      SSH_AUTH_SOCK: "/run/agent",
      ...quiet
    })
  })

  it("does not tell letters apart by their case on Windows", () => {
    expect(ExecEnvironment.make("win32", { Path: "C:\\", SystemRoot: "C:\\Windows", Secret: "x" }, ["key"])).toEqual({
      Path: "C:\\",
      SystemRoot: "C:\\Windows",
      ...quiet
    })
  })
})
