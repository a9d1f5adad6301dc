import { describe, expect, it } from 'vitest'
import { ClientError, hostPortText, parseAddress } from '../src/index.js'

describe('an address', () => {
  it('names a directory, or who listens', () => {
    expect(parseAddress('sagalog:./data')).toEqual({ where: 'embedded', dir: './data' })
    expect(parseAddress('sagalog:/var/lib/a b')).toEqual({ where: 'embedded', dir: '/var/lib/a b' })
    const [a, b] = [
      { host: '10.0.0.1', port: 9876 },
      { host: 'names.local', port: 1 },
    ]
    for (const text of ['rocketmq://10.0.0.1:9876', '10.0.0.1:9876'])
      expect(parseAddress(text)).toEqual({ where: 'remote', servers: [a] })
    const two = parseAddress('rocketmq://10.0.0.1:9876;names.local:1')
    expect(two).toEqual({ where: 'remote', servers: [a, b] })
    const six = { host: '::1', port: 9876 }
    expect(parseAddress('rocketmq://[::1]:9876')).toEqual({ where: 'remote', servers: [six] })
    expect(hostPortText(six)).toBe('[::1]:9876')
    expect(hostPortText(a)).toBe('10.0.0.1:9876')
  })

  it.each([
    ['', 'no host:port follows'],
    ['sagalog:', 'no directory follows'],
    ['sagalog://./data', '// is for rocketmq://'],
    ['http://a:1', 'http: is not known'],
    ['./data', 'a directory is sagalog:./data'],
    ['rocketmq://', 'no host:port follows'],
    ['rocketmq://a:1,b:2', 'separated by ;'],
    ['rocketmq://a:1;', 'stands nothing'],
    ['rocketmq://a:1;;b:2', 'stands nothing'],
    ['rocketmq://a', '"a" has no port, as in a:9876'],
    ['rocketmq://a:b', 'the port of "a:b" is not a number'],
    ['rocketmq://a:0', 'from 1 to 65535'],
    ['rocketmq://a:65536', 'from 1 to 65535'],
    ['rocketmq://:9876', '":9876" has no host'],
    ['rocketmq://a b:9876', '"a b:9876" has no host'],
    ['rocketmq://::1:9876', 'an IPv6 host stands in brackets'],
    ['rocketmq://[names]:9876', 'has no IPv6 host in its brackets'],
    ['rocketmq://a:9876/topic', 'is no host:port'],
  ])('%s is refused: %s', (text, reason) => {
    const parsed = (): unknown => parseAddress(text)
    expect(parsed).toThrow(ClientError)
    expect(parsed).toThrow(reason)
    expect(parsed).toThrow(`"${text}"`)
  })
})
