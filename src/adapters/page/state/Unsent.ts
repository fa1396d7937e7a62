/**
 * The message that is written for a session, with its files. It stays while other sessions are shown, and its uploads
 * and its sending go on. A message leaves the field when it is sent, and comes back there if that fails.
 *
 * It belongs to who wrote it. When a sign-in expires it waits for them to sign in again, and is forgotten when somebody else
 * does; at a sign-out it is forgotten immediately, in all tabs, none of which is signed in any more.
 */
import * as UploadWords from "../model/UploadWords.js"
import * as Words from "../model/Words.js"
import * as Api from "../net/Api.js"
import * as Uploads from "../net/Uploads.js"
import { limits } from "./Limits.js"
import { Store } from "./Store.js"

/** A file of a message. */
export interface Attached {
  readonly id: number
  readonly name: string
  /** Bytes of the file, and how many of them were sent. */
  readonly size: number
  readonly sent: number
  /** Null until it is uploaded. */
  readonly file: Api.SentFile | null
  readonly uploaded: Promise<Api.SentFile>
  /** Stops the upload. */
  readonly stop: () => void
}

interface Message {
  readonly text: string
  readonly files: ReadonlyArray<Attached>
}

export interface State extends Message {
  /** The message on its way to the server. */
  readonly sending: Message | null
  /** Why the last message or files are not there. */
  readonly failed: string | null
}

/** Whether there is something to send, and nothing else on its way. */
export const maySend = ({ files, sending, text }: State): boolean =>
  sending === null && (text.trim() !== "" || files.length > 0)

const nothing: State = { text: "", files: [], sending: null, failed: null }

export class Unsent {
  readonly state = new Store<State>(nothing)
  /** The keys of messages that may have been stored though no answer came. */
  private readonly keys = new Map<string, { readonly key: string; readonly assetIds: ReadonlyArray<string> }>()
  private uploads: Promise<unknown> = Promise.resolve()
  private attached = 0
  /** The beginnings of messages that were sent from here, by their runs. */
  private readonly beginnings = new Map<string, string>()

  constructor(readonly sessionId: string) {}

  write(text: string): void {
    this.set({ text })
  }

  /** Uploads files, one after the other. Those that are too large are not sent, and neither are folders. */
  attach(files: ReadonlyArray<File>, folders: ReadonlyArray<string> = []): void {
    if (files.length + folders.length > 0) this.set({ failed: null })
    for (const name of folders) this.refuse(UploadWords.folder(name))
    for (const file of files) {
      if (limits.value !== null && file.size > limits.value.assetBytes) {
        this.refuse(UploadWords.tooLarge(file.name, limits.value.assetBytes))
      } else {
        this.begin(file)
      }
    }
  }

  /**
   * Takes a file out of the message. Its upload is stopped; if it was uploaded, it is deleted, unless a message that may
   * have been stored has it.
   */
  detach(id: number): void {
    const { files } = this.state.value
    this.set({ files: files.filter((attached) => attached.id !== id) })
    const detached = files.find((attached) => attached.id === id)
    detached?.stop()
    if (detached === undefined || detached.file === null) return
    const { assetId } = detached.file
    if ([...this.keys.values()].some(({ assetIds }) => assetIds.includes(assetId))) return
    Api.removeAsset(this.sessionId, assetId).catch((error: unknown) => this.fail(error))
  }

  /** Stops all uploads, and forgets the message where it is still shown. */
  forget(): void {
    const { files, sending } = this.state.value
    for (const { stop } of [...files, ...(sending?.files ?? [])]) stop()
    this.set(nothing)
    this.keys.clear()
    this.beginnings.clear()
  }

  /** The beginning of the message of a run; "" if it was not sent from here. */
  beginningOf(runId: string): string {
    return this.beginnings.get(runId) ?? ""
  }

  /** Sends the message once its files are uploaded. */
  async send(): Promise<void> {
    if (!maySend(this.state.value)) return
    const { files, text } = this.state.value
    this.set({ text: "", files: [], sending: { text, files }, failed: null })
    // What was sent before may have been stored then, whatever is refused now.
    let fresh: string | null = null
    try {
      const message = { text, files: await Promise.all(files.map(({ uploaded }) => uploaded)) }
      const content = JSON.stringify(message)
      if (!this.keys.has(content)) fresh = content
      const { runId } = await Api.send(this.sessionId, { ...message, key: this.keyOf(content, message) })
      this.beginnings.set(runId, Words.beginning(text))
      this.keys.clear()
      this.set({ sending: null })
    } catch (error) {
      const isRefused = error instanceof Api.Failed && error.status >= 400 && error.status < 500
      if (isRefused && fresh !== null) this.keys.delete(fresh)
      this.takeBack()
      this.fail(error)
    }
  }

  /** The same message has the same key, so that it is stored once however often it is sent; another has another. */
  private keyOf(content: string, { files }: Omit<Api.NewMessage, "key">): string {
    const key = this.keys.get(content)?.key ?? Api.newKey()
    this.keys.set(content, { key, assetIds: files.map(({ assetId }) => assetId) })
    return key
  }

  /** What was written in the meantime comes after it. */
  private takeBack(): void {
    this.state.update(({ files, sending, text, ...state }) => ({
      ...state,
      text: [sending?.text ?? "", text].filter((one) => one !== "").join("\n\n"),
      files: [...(sending?.files ?? []), ...files],
      sending: null
    }))
  }

  private begin(file: File): void {
    const id = this.attached++
    const stopping = new AbortController()
    const options = { signal: stopping.signal, sent: (sent: number) => this.change(id, { sent }) }
    const uploaded = this.uploads.then(() => this.upload(file, options))
    this.uploads = uploaded.catch(() => {})
    const { name, size } = file
    const attached = { id, name, size, sent: 0, file: null, uploaded, stop: () => stopping.abort() }
    this.set({ files: [...this.state.value.files, attached] })
    uploaded.then(
      (saved) => this.change(id, { file: saved, sent: size }),
      (error: unknown) => {
        this.change(id, null)
        if (error instanceof Api.Failed && error.tag !== "Stopped") this.refuse(error.message)
      }
    )
  }

  private async upload(file: File, options: Parameters<typeof Uploads.save>[2]): Promise<Api.SentFile> {
    try {
      const { id: assetId, mediaType, name } = await Uploads.save(this.sessionId, file, options)
      return name === null ? { assetId, mediaType } : { assetId, mediaType, name }
    } catch (error) {
      if (!(error instanceof Api.Failed)) throw error
      const words = UploadWords.failed(file.name, error, limits.value?.assetBytes ?? null)
      throw new Api.Failed(error.status, error.tag, words)
    }
  }

  /** Changes an attached file; null takes it out. */
  private change(id: number, changes: Partial<Attached> | null): void {
    const changed = (files: ReadonlyArray<Attached>) =>
      files.flatMap((one) => (one.id !== id ? [one] : changes === null ? [] : [{ ...one, ...changes }]))
    const { files, sending } = this.state.value
    this.set({
      files: changed(files),
      sending: sending === null ? null : { ...sending, files: changed(sending.files) }
    })
  }

  /** Says why something is not attached. */
  private refuse(why: string): void {
    const { failed } = this.state.value
    this.set({ failed: failed === null ? why : `${failed}\n${why}` })
  }

  private fail(error: unknown): void {
    if (!(error instanceof Api.Failed)) throw error
    this.set({ failed: error.message })
  }

  private set(changes: Partial<State>): void {
    this.state.update((state) => ({ ...state, ...changes }))
  }
}

const all = new Map<string, Unsent>()

/** The unsent message of a session, the same one for all that show or change it. */
export const of = (sessionId: string): Unsent => {
  const known = all.get(sessionId)
  if (known !== undefined) return known
  const made = new Unsent(sessionId)
  all.set(sessionId, made)
  return made
}

/** Forgets all messages, and stops their uploads. */
const forget = (): void => {
  for (const unsent of all.values()) unsent.forget()
  all.clear()
}

let writer = ""

/** Says who writes from now on. Without an id nobody can know that it is the same person as before. */
export const writtenBy = (id: string): void => {
  if (id === "" || id !== writer) forget()
  writer = id
}

/** Other tabs of this page. Those of another server on this origin have another path. */
const tabs = new BroadcastChannel(`skein unsent ${location.pathname}`)
tabs.addEventListener("message", () => {
  forget()
  Api.signedOut.tell()
})

/** Forgets all messages, in other tabs as well: somebody has signed out, there too. */
export const signOut = (): void => {
  forget()
  tabs.postMessage(null)
}
