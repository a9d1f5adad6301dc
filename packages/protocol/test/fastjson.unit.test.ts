import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { standardJson } from '../src/fastjson.js'
import { ProtocolError } from '../src/index.js'

const parsed = (text: string): unknown => JSON.parse(standardJson(text))

describe("fastjson's text as standard JSON", () => {
  it('has keys in quotes, numbers and whole objects too', () => {
    expect(parsed('{"brokerAddrs":{0:"a:1", -1 :"b"}}')).toEqual({
      brokerAddrs: { '0': 'a:1', '-1': 'b' },
    })
    const table = parsed('{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:5}}')
    expect(table).toEqual({ offsetTable: { '{"brokerName":"b","queueId":0,"topic":"T"}': 5 } })
    expect(parsed('{{"$ref":"$.a.null"}:{"x":[{1:2},[]]}}')).toEqual({
      '{"$ref":"$.a.null"}': { x: [{ '1': 2 }, []] },
    })
    expect(parsed('{"a":"{0:\\"}\\\\"}')).toEqual({ a: '{0:"}\\' })
  })

  it('is what it was when it was standard JSON before', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent)
        expect(parsed(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  it('is refused when nothing makes it JSON', () => {
    for (const text of ['', '{', '{1}', '{"a":}', '[1,]', '{} {}', '"', '['.repeat(100_000)])
      expect(() => standardJson(text)).toThrow(ProtocolError)
  })
})
