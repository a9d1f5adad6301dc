/** Frames as real RocketMQ 5.3.3 writes them, byte for byte. */
import { describe, expect, it } from 'vitest'
import { encodeFrame, FrameDecoder, type Frame } from '../src/index.js'

const BINARY_HEX = `00000026 01000021 0069 00 01df 00000000 00000000 00000000 0000000c
  0005 746f706963 00000001 54 78`.replaceAll(/\s/g, '')

const route: Frame = {
  dialect: 'binary',
  code: 105,
  language: 0,
  version: 479,
  opaque: 0,
  flag: 0,
  fields: new Map([['topic', 'T']]),
  body: Buffer.from('x'),
}

function decoded(bytes: Buffer): Frame | undefined {
  const decoder = new FrameDecoder()
  decoder.push(bytes)
  return decoder.next()
}

describe('a binary frame', () => {
  it('is written as Java writes it', () => {
    expect(encodeFrame(route).toString('hex')).toBe(BINARY_HEX)
  })
  it('is read back', () => {
    expect(decoded(Buffer.from(BINARY_HEX, 'hex'))).toEqual(route)
  })
  it('turns to JSON when the code is above int16', () => {
    const pop: Frame = { ...route, code: 200_050 }
    expect(decoded(encodeFrame(pop))).toEqual({ ...pop, dialect: 'json' })
  })
})

describe('a JSON frame', () => {
  it('is written with the keys of Java', () => {
    const frame: Frame = {
      ...route,
      dialect: 'json',
      code: 310,
      opaque: 2,
      fields: new Map([['i', 'k\u0001v\u0002']]),
    }
    const header =
      String.raw`{"code":310,"extFields":{"i":"k\u0001v\u0002"},"flag":0,"language":"JAVA",` +
      '"opaque":2,"serializeTypeCurrentRPC":"JSON","version":479}'
    const bytes = encodeFrame(frame)
    expect(bytes.readInt32BE(0)).toBe(4 + header.length + 1)
    expect(bytes.readInt32BE(4)).toBe(header.length)
    expect(bytes.toString('utf8', 8)).toBe(`${header}x`)
    expect(decoded(bytes)).toEqual(frame)
  })

  it('reads a response of Java, without fields and with an unknown language', () => {
    const header =
      '{"code":17,"flag":1,"language":"KLINGON","opaque":7,"remark":"no topic",' +
      '"serializeTypeCurrentRPC":"JSON","version":0,"extFields":{"n":5,"b":true,"z":null}}'
    const bytes = Buffer.alloc(8 + header.length)
    bytes.writeInt32BE(4 + header.length, 0)
    bytes.writeInt32BE(header.length, 4)
    bytes.write(header, 8)
    expect(decoded(bytes)).toEqual({
      dialect: 'json',
      code: 17,
      language: 7,
      version: 0,
      opaque: 7,
      flag: 1,
      remark: 'no topic',
      fields: new Map([
        ['n', '5'],
        ['b', 'true'],
      ]),
      body: Buffer.alloc(0),
    })
  })
})
