import { describe, expect, it } from "vitest"
import * as Answers from "../../../../src/adapters/s3/Answers.js"

describe("answers of S3", () => {
  it("have keys and common prefixes, with every escape decoded", () => {
    const xml = `<?xml version="1.0" encoding="UTF-8"?>
      <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>not/this</Prefix>
      <IsTruncated>false</IsTruncated><Contents><Key>a &amp; &lt;b&gt; &quot;c&quot; &apos;d&apos;</Key><Size>1</Size>
      </Contents><Contents><Key type="x">&#x1F600;&#228;&amp;amp;</Key><Owner><ID>me</ID></Owner></Contents>
      <CommonPrefixes><Prefix>s1/.upl/</Prefix></CommonPrefixes></ListBucketResult>`
    expect(Answers.keys(xml)).toEqual({ items: [`a & <b> "c" 'd'`, "😀ä&amp;", "s1/.upl/"], next: null })
  })

  it("keep escapes that stand for no character", () => {
    expect(Answers.text("<Key>&nbsp;&#x110000;&#99999999999;& &;</Key>", "Key")).toBe(
      "&nbsp;&#x110000;&#99999999999;& &;"
    )
  })

  it("say where the next page begins", () => {
    const token = "<IsTruncated>true</IsTruncated><NextContinuationToken>a+/=&lt;</NextContinuationToken>"
    expect(Answers.keys(token)).toEqual({ items: [], next: "a+/=<" })
    const marks = `<IsTruncated>true</IsTruncated><NextKeyMarker>k&amp;</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>
      <Upload><Key>k&amp;</Key><UploadId>u</UploadId><Initiator><ID>x</ID></Initiator></Upload>`
    expect(Answers.uploads(marks)).toEqual({
      items: [{ key: "k&", uploadId: "u" }],
      next: { key: "k&", uploadId: "u" }
    })
  })

  it("have only complete elements of exactly that name", () => {
    expect(Answers.elements("<Key>a</Key><Keys>b</Keys><Key>c", "Key")).toEqual(["a"])
    expect(Answers.elements("</Key><Key></Key>", "Key")).toEqual([""])
    expect(Answers.text("", "Key")).toBe("")
  })

  it("say an error's code and nothing else about it", () => {
    expect(Answers.errorCode("<Error><Code>NoSuchKey</Code><Message>secret</Message></Error>")).toBe("NoSuchKey")
    expect(Answers.errorCode("<Error><Code>said: a secret</Code></Error>")).toBe("")
    expect(Answers.errorCode("<html>Bad Gateway</html>")).toBe("")
  })

  it("are read in linear time", () => {
    const text = "<Key>".repeat(200_000)
    expect(Answers.elements(text, "Key")).toEqual([])
  })

  it("have tags with any characters", () => {
    expect(Answers.text(`<ETag>${Answers.escape(`"a"&<'>`)}</ETag>`, "ETag")).toBe(`"a"&<'>`)
  })
})
