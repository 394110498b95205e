import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// What a browser may fetch, said in the page itself: nothing leaves the origin.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'";

/** The build's hash: in the page (to know itself) and in build.txt (for the server to announce). */
function buildHash(): Plugin {
  // File names carry their contents' hashes, so the list of names stands for all contents.
  const hashOf = (bundle: object) =>
    createHash('sha256')
      .update(readFileSync('index.html'))
      .update(Object.keys(bundle).filter((name) => /\.(js|css|woff2)$/.test(name)).sort().join('\n'))
      .digest('hex')
      .slice(0, 16);
  return {
    name: 'build-hash',
    enforce: 'post',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler: (_html, context) => [
        { tag: 'meta', attrs: { name: 'build', content: hashOf(context.bundle ?? {}) }, injectTo: 'head-prepend' },
        { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY }, injectTo: 'head-prepend' },
      ],
    },
    generateBundle(_options, bundle) {
      this.emitFile({ type: 'asset', fileName: 'build.txt', source: hashOf(bundle) });
    },
  };
}

/** The font package names a woff beside each woff2; every browser here reads woff2, so half the files can go. */
function woff2Only(): Plugin {
  return {
    name: 'woff2-only',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('@fontsource') || !id.includes('.css')) return null;
      return code.replaceAll(/,\s*url\([^)]*\.woff\)\s*format\(['"]woff['"]\)/g, '');
    },
  };
}

export default defineConfig({
  plugins: [woff2Only(), svelte(), buildHash()],
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 900 },
  server: { proxy: { '/api': process.env['WALL_URL'] ?? 'http://127.0.0.1:8080' } },
  test: { include: ['test/**/*.test.ts'] },
});
