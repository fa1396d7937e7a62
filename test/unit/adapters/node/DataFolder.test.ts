import { describe, expect, it } from "@effect/vitest"
import { Either } from "effect"
import * as DataFolder from "../../../../src/adapters/node/DataFolder.js"

const linux: DataFolder.Host = { platform: "linux", env: {}, home: "/home/me", cwd: "/projects/here" }
const mac: DataFolder.Host = { ...linux, platform: "darwin", home: "/Users/me" }
const windows: DataFolder.Host = { platform: "win32", env: {}, home: "C:\\Users\\me", cwd: "D:\\work" }

const withEnv = (host: DataFolder.Host, env: DataFolder.Host["env"]) => ({ ...host, env })

describe("DataFolder", () => {
  it("each platform has its usual places", () => {
    const places = [linux, mac, windows].map((host) => [DataFolder.data(host), DataFolder.config(host)])
    expect(places.flat().map(Either.getOrThrow)).toEqual([
      "/home/me/.local/share/skein",
      "/home/me/.config/skein/config.json",
      "/Users/me/Library/Application Support/skein",
      "/Users/me/Library/Application Support/skein/config.json",
      "C:\\Users\\me\\AppData\\Local\\skein",
      "C:\\Users\\me\\AppData\\Roaming\\skein\\config.json"
    ])
  })

  it("a platform's variables move its places", () => {
    const xdg = { XDG_DATA_HOME: "/data", XDG_CONFIG_HOME: "/config" }
    expect(DataFolder.data(withEnv(linux, xdg))).toEqual(Either.right("/data/skein"))
    expect(DataFolder.config(withEnv(linux, xdg))).toEqual(Either.right("/config/skein/config.json"))
    expect(DataFolder.data(withEnv(mac, xdg))).toEqual(DataFolder.data(mac))
    const appData = { LOCALAPPDATA: "E:\\local", APPDATA: "E:\\roaming" }
    expect(DataFolder.data(withEnv(windows, appData))).toEqual(Either.right("E:\\local\\skein"))
    expect(DataFolder.config(withEnv(windows, appData))).toEqual(Either.right("E:\\roaming\\skein\\config.json"))
  })

  it("without a current folder only relative paths are refused", () => {
    const lost = { ...linux, cwd: null }
    expect(DataFolder.data(lost)).toEqual(DataFolder.data(linux))
    expect(DataFolder.data(lost, "/given")).toEqual(Either.right("/given"))
    expect(Either.flip(DataFolder.data(lost, "given"))).toMatchObject({
      right: { field: "data", limit: "an absolute path, as the current folder is gone" }
    })
  })

  it("a relative XDG variable does not count", () => {
    expect(DataFolder.data(withEnv(linux, { XDG_DATA_HOME: "data" }))).toEqual(DataFolder.data(linux))
  })

  it("the option beats SKEIN_DATA, which beats the usual place; empty values do not count", () => {
    const env = { SKEIN_DATA: "/from/env", XDG_DATA_HOME: "/data" }
    expect(DataFolder.data(withEnv(linux, env), "/given")).toEqual(Either.right("/given"))
    expect(DataFolder.data(withEnv(linux, env), "")).toEqual(Either.right("/from/env"))
    expect(DataFolder.data(withEnv(linux, { ...env, SKEIN_DATA: "" }))).toEqual(Either.right("/data/skein"))
    expect(DataFolder.config(withEnv(linux, { SKEIN_CONFIG: "/etc/skein.json" }))).toEqual(
      Either.right("/etc/skein.json")
    )
  })

  it("a relative path is resolved against the working directory", () => {
    expect(DataFolder.data(linux, "../data/")).toEqual(Either.right("/projects/data"))
    expect(DataFolder.data(windows, "data")).toEqual(Either.right("D:\\work\\data"))
    expect(DataFolder.config(withEnv(linux, { SKEIN_CONFIG: "my.json" }))).toEqual(
      Either.right("/projects/here/my.json")
    )
  })

  it("P12 clear refusal: an unusable path is refused by the name of its option or variable", () => {
    expect(DataFolder.data(linux, "a\0b")).toMatchObject({ left: { field: "data" } })
    expect(DataFolder.data(withEnv(windows, { SKEIN_DATA: "C:data" }))).toMatchObject({ left: { field: "SKEIN_DATA" } })
  })

  it("P12 clear refusal: without a home folder a path must be given", () => {
    const homeless = { ...linux, home: "" }
    expect(DataFolder.data(homeless)).toMatchObject({ left: { field: "data", actual: "nothing" } })
    expect(DataFolder.config(homeless)).toMatchObject({ left: { field: "config" } })
    expect(DataFolder.data(homeless, "/given")).toEqual(Either.right("/given"))
    expect(DataFolder.data(withEnv(homeless, { XDG_DATA_HOME: "/data" }))).toEqual(Either.right("/data/skein"))
  })
})
