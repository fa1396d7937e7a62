/** Files of a session: images are loaded when they are opened, all others are downloads. */
import { useEffect, useState } from "preact/hooks"
import * as Visible from "../model/Visible.js"
import * as Words from "../model/Words.js"
import * as Api from "../net/Api.js"
import { wordsOf } from "./Failure.js"

/** Types that a browser shows as an image without running anything. */
const images = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"])

interface Named {
  readonly assetId: string
  readonly mediaType: string
  readonly name?: string | undefined
  readonly size?: number
}

const Image = ({
  assetId,
  name,
  sessionId
}: {
  readonly sessionId: string
  readonly assetId: string
  readonly name: string
}) => {
  const [shown, show] = useState<{ readonly url: string } | { readonly failed: string } | null>(null)
  useEffect(() => {
    let url: string | null = null
    let isGone = false
    Api.asset(sessionId, assetId).then(
      (blob) => {
        if (isGone) return
        url = URL.createObjectURL(blob)
        show({ url })
      },
      (error: unknown) => show({ failed: wordsOf(error, "The image could not be loaded") })
    )
    return () => {
      isGone = true
      if (url !== null) URL.revokeObjectURL(url)
    }
  }, [sessionId, assetId])
  if (shown === null) return <p class="note">Loading…</p>
  return "failed" in shown ? <p class="note bad">{shown.failed}</p> : <img class="asset" src={shown.url} alt={name} />
}

export const File = ({ file, sessionId }: { readonly sessionId: string; readonly file: Named }) => {
  const [isOpen, open] = useState(false)
  const name = Visible.line(file.name ?? "") || file.assetId
  const isImage = images.has(file.mediaType)
  return (
    <div class="file">
      <span class="name">{name}</span>
      <span class="note">
        {file.mediaType}
        {file.size === undefined ? "" : ` · ${Words.bytes(file.size)}`}
      </span>
      {isImage ? (
        <button class="quiet" onClick={() => open(!isOpen)} aria-expanded={isOpen}>
          {isOpen ? "Hide" : "View"}
        </button>
      ) : null}
      <a class="quiet" href={Api.assetPath(sessionId, file.assetId)} download={name}>
        Save
      </a>
      {isOpen ? <Image sessionId={sessionId} assetId={file.assetId} name={name} /> : null}
    </div>
  )
}
