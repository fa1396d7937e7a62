/**
 * Uploads of files, whose progress is told, which `fetch` cannot do, and which can be stopped. Failures are `Failed`:
 * "Stopped" for an upload that was stopped, "Unreadable" for a file that the browser cannot read.
 */
import type { Asset } from "../model/Wire.js"
import * as Api from "./Api.js"

const mediaTypeOf = ({ type }: File): string => {
  const [plain = ""] = type.toLowerCase().split(";")
  return /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/.test(plain) ? plain : "application/octet-stream"
}

const isReadable = (file: File): Promise<boolean> =>
  file
    .slice(0, 1)
    .arrayBuffer()
    .then(
      () => true,
      () => false
    )

/** Browsers do not say whether the server or the file was the reason why an upload ended. */
const cutOff = async (file: File): Promise<Api.Failed> =>
  (await isReadable(file)) ? Api.unreachable() : new Api.Failed(0, "Unreadable", "The file cannot be read")

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Saves a file in a session. `sent` is told how many of its bytes are on their way. */
export const save = (
  sessionId: string,
  file: File,
  { sent, signal }: { readonly sent: (bytes: number) => void; readonly signal: AbortSignal }
): Promise<Asset> =>
  new Promise((resolve, reject) => {
    const stopped = () => reject(new Api.Failed(0, "Stopped", "The upload was stopped"))
    if (signal.aborted) return stopped()
    const request = new XMLHttpRequest()
    request.open("PUT", Api.newAssetPath(sessionId, file.name))
    request.setRequestHeader("content-type", mediaTypeOf(file))
    request.upload.onprogress = ({ loaded }) => sent(Math.min(loaded, file.size))
    request.onload = () => {
      const { responseText, status } = request
      if (status < 200 || status > 299) return reject(Api.refused(status, responseText))
      const asset = parsed(responseText)
      if (Api.isOf<Asset>(asset)) resolve(asset)
      else reject(new Api.Failed(status, "Unreachable", "The server's answer was cut off"))
    }
    request.onerror = () => void cutOff(file).then(reject)
    request.onabort = stopped
    signal.addEventListener("abort", () => request.abort())
    request.send(file)
  })
