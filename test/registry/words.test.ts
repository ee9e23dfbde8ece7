import { describe, expect, test } from 'vitest'
import { readRateLimit, resetAfter } from '../../src/registry/transport/rate-limit.ts'
import { readWords } from '../../src/registry/error-body.ts'

describe('readWords', () => {
  test.each([
    ['', '', ''],
    ['{"errors":[{"code":"DENIED","message":"no"}]}', 'application/json', 'DENIED: no'],
    ['{"errors":[{"code":"A"},{"code":"B","message":"b","detail":"more"}]}', '', 'A; B: b (more)'],
    ['{"errors":[{"code":"A","message":"a","detail":{"x":1}}]}', '', 'A: a'],
    ['{"details":"incorrect username or password"}', '', 'incorrect username or password'],
    ['{"error":"invalid_grant","error_description":"expired"}', '', 'invalid_grant: expired'],
    ['{"message":"toomanyrequests: slow down"}', '', 'toomanyrequests: slow down'],
    ['{"odd":1}', '', '{"odd":1}'],
    ['{not json', '', '{not json'],
    ['Not Authorized\n', 'text/plain', 'Not Authorized'],
    ['<html><head><title> 502 Bad\nGateway </title>', 'text/html', 'an HTML page, "502 Bad Gateway"'],
    ['<!DOCTYPE html><p>x', '', 'an HTML page'],
    ['a\u0007b\u202ec', 'text/plain', 'a b c'],
    ['go to https://x.example/y?sig=1&k=2, now', '', 'go to https://x.example/y now'],
  ])('%j of %j says %j', (body, type, words) => {
    expect(readWords(body, type).words).toBe(words)
  })

  test('keeps the entries of the envelope', () => {
    const { errors } = readWords('{"errors":[{"code":"A","message":"a","detail":{"Tag":"v1"}},"odd"]}', '')
    expect(errors).toEqual([{ code: 'A', message: 'a', detail: { Tag: 'v1' } }])
  })

  test('is bounded', () => {
    expect(readWords('x'.repeat(10_000), '').words).toHaveLength(601)
  })
})

describe('rate limits', () => {
  test('are undefined where nothing is metered', () => {
    expect(readRateLimit(new Headers())).toBeUndefined()
  })

  test('are read with their window', () => {
    const headers = new Headers({ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' })
    expect(readRateLimit(headers)).toEqual({ limit: 100, remaining: 0, windowSeconds: 21600 })
    // Six hours are not waited for.
    expect(resetAfter(headers)).toBe(0)
  })

  test.each([
    [{ 'ratelimit-remaining': '0', 'ratelimit-reset': '7' }, 7000],
    [{ 'ratelimit-remaining': '3', 'ratelimit-reset': '7' }, 0],
    [{ 'ratelimit-remaining': '0', 'ratelimit-reset': '7200' }, 0],
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '5' }, 5000],
    [{ 'x-ratelimit-remaining': '0' }, 0],
  ])('%j is a wait of %i ms', (headers, ms) => {
    expect(resetAfter(new Headers(Object.entries(headers)))).toBe(ms)
  })

  test('may give the moment', () => {
    const soon = Math.floor(Date.now() / 1000) + 60
    const waitMs = resetAfter(
      new Headers({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(soon) }),
    )
    expect(waitMs).toBeGreaterThan(30_000)
    expect(waitMs).toBeLessThanOrEqual(60_000)
  })
})
