import { describe, expect, test } from 'vitest'
import { isLoopback, isPrivateHost, mayLeadTo, redactUrl, withoutSecrets } from '../../src/lib/url.ts'

test.each([
  ['https://user:pw@host:8443/a/b?X-Amz-Signature=1#x', 'https://host:8443/a/b'],
  ['nonsense', '(not a URL)'],
])('redactUrl %s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown)
})

test.each([
  ['https://h/f?X-Amz-Signature=1&X-Amz-Expires=60', 'https://h/f'],
  ['https://h/f?sv=2024&sig=a', 'https://h/f'],
  ['https://h/f?dl=0123456789abcdef0', 'https://h/f'],
  ['https://h/f?0123456789abcdef0', 'https://h/f'],
  ['https://h/f?download=1&raw=true', 'https://h/f?download=1&raw=true'],
  ['https://h/f#0123456789abcdef0', 'https://h/f'],
  ['https://h/f', 'https://h/f'],
])('withoutSecrets %s', (url, kept) => {
  expect(withoutSecrets(url)).toBe(kept)
})

describe('isLoopback', () => {
  test.each([
    'localhost',
    'LOCALHOST:5000',
    'registry.localhost',
    '127.0.0.1',
    '127.9.9.9:80',
    '::1',
    '[::1]:5000',
    'localhost.',
  ])('%s is', (host) => {
    expect(isLoopback(host)).toBe(true)
  })
  test.each(['localhost.example', 'mylocalhost', '128.0.0.1', '127.example', '0.0.0.0', '::2'])(
    '%s is not',
    (host) => {
      expect(isLoopback(host)).toBe(false)
    },
  )
})

describe('isPrivateHost', () => {
  test.each([
    '10.0.0.1',
    '172.16.0.1:443',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '[fd12::1]:443',
    'fe80::1',
    '::ffff:10.0.0.1',
    '[::ffff:a00:1]',
    '[64:ff9b::a9fe:a9fe]',
    '64:ff9b::10.0.0.1',
    '[64:ff9b:1::a00:1]:443',
    '[2002:a00:1::1]',
    '[2002:7f00:1::]',
    '[::10.0.0.1]',
    '[::ffff:0:10.0.0.1]',
    '[2001:0:1:2:3:4:f5ff:fffe]',
    '[fec0::1]',
    '[ff02::1]',
    '224.0.0.1',
    '255.255.255.255',
    'localhost',
  ])('%s is', (host) => {
    expect(isPrivateHost(host)).toBe(true)
  })
  test.each([
    '8.8.8.8',
    '172.32.0.1',
    '100.128.0.1',
    '192.169.0.1',
    'example.com',
    '[2606:4700::1111]',
    '[64:ff9b::808:808]',
    '[2002:808:808::1]',
    '[2001:db8::a00:1]',
    '::ffff:8.8.8.8',
    '10.example',
  ])('%s is not', (host) => {
    expect(isPrivateHost(host)).toBe(false)
  })
})

describe('mayLeadTo', () => {
  test.each([
    ['registry.example', 'cdn.example'],
    ['registry.example', 'registry.example:5000'],
    ['10.0.0.1', '10.0.0.2:9000'],
    ['localhost:5000', '127.0.0.1:5001'],
    ['10.0.0.1', 's3.amazonaws.com'],
  ])('%s to %s', (from, to) => {
    expect(mayLeadTo(from, to)).toBe(true)
  })
  test.each([
    ['registry.example', '10.0.0.1'],
    ['registry.example', '127.0.0.1:80'],
    ['registry.example', '169.254.169.254'],
    ['10.0.0.1', '169.254.169.254'],
    ['localhost:5000', '169.254.170.2'],
    ['localhost', '[fd00:ec2::254]'],
    ['localhost', '[fe80::1]'],
    ['localhost', '[::ffff:169.254.169.254]'],
  ])('never %s to %s', (from, to) => {
    expect(mayLeadTo(from, to)).toBe(false)
  })
})
