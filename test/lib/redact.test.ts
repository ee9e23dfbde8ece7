import { describe, expect, it } from 'vitest'

import { redact } from '../../src/lib/redact.ts'

describe('redact', () => {
  it.each([
    ['GET https://b.example/x?X-Amz-Signature=abc&y=z: 403', 'GET https://b.example/x?***: 403'],
    ['see https://me:pw@h.example:5000/v2/', 'see https://***@h.example:5000/v2/'],
    ['not a mirror: "docker.io=me:pw@h.example"', 'not a mirror: "docker.io=me:***@h.example"'],
    ['found me:p/w@h:5000/x', 'found me:***@h:5000/x'],
    ['Authorization: Bearer abc.def', 'Authorization: ***'],
    ['with Basic QVdTOnBhc3N3b3Jk now', 'with Basic *** now'],
    ['key AKIAIOSFODNN7EXAMPLE', 'key ***'],
    ['password: hunter2, user: x', 'password: ***, user: x'],
    ['"token":"abcdef"', '"token":"***"'],
  ])('%s', (text, clean) => expect(redact(text)).toBe(clean))

  it.each([
    'manifest unknown: quay.io/org/app:1.2.3@sha256:0123456789abcdef',
    'Basic auth is not offered by registry.example:5000',
    'did you mean --spec?',
    'localhost:5000/team/app:1@sha256:0123456789abcdef',
    'app:1@sha256:0123456789abcdef',
    'https://registry.example/v2/app/manifests/1: 404 Not Found',
    '401 to GET https://auth.example/token: UNAUTHORIZED: wrong password',
    'the token of this registry has expired',
  ])('leaves alone: %s', (text) => expect(redact(text)).toBe(text))
})
