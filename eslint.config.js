/**
 * Lint rules that keep skep's promises: layers point one way (DESIGN rule 6), nothing below `ui/`
 * reads the host's clock or random source (rule 5), no TypeScript-only runtime syntax.
 */
import tseslint from 'typescript-eslint';

/** Bottom to top; each layer may import itself and those listed (memory and types are one floor). */
const LAYERS = {
  'kernel/types': ['kernel/ram'],
  'kernel/ram': ['kernel/types'],
  bpf: ['kernel/ram', 'kernel/types'],
  hooks: ['kernel/ram', 'kernel/types', 'bpf'],
  hw: ['kernel/ram', 'kernel/types', 'bpf'],
  kernel: ['kernel/ram', 'kernel/types', 'bpf', 'hooks', 'hw/target', 'hw/nic'],
  user: ['kernel', 'bpf', 'hooks'],
  scenarios: ['user', 'kernel', 'bpf', 'hooks', 'hw'],
  ui: ['scenarios', 'user', 'kernel', 'bpf', 'hooks', 'hw'],
};
const TOP = ['kernel', 'bpf', 'hooks', 'hw', 'user', 'scenarios', 'ui', 'test'];

/** ESLint has no path resolution of its own, so imports are resolved here. */
const layering = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const root = import.meta.dirname;
    const relative = context.filename.slice(root.length + 1);
    const layerOf = (path) => {
      if (/^kernel\/(ram|types)\//.test(path)) return path.split('/').slice(0, 2).join('/');
      return path.split('/')[0];
    };
    const layer = layerOf(relative);
    const allowed = LAYERS[layer];
    const check = (node) => {
      const source = node.source;
      if (!allowed || !source || typeof source.value !== 'string') return;
      if (!source.value.startsWith('.')) return;
      const target = new URL(source.value, `file:///${relative}`).pathname.slice(1);
      const to = layerOf(target);
      if (to === layer || !TOP.includes(target.split('/')[0])) return;
      if (allowed.some((prefix) => target.startsWith(`${prefix}/`) || target === `${prefix}.ts`)) {
        return;
      }
      context.report({
        node,
        message: `${layer}/ must not import ${target}: layers point one way`,
      });
    };
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    };
  },
};

const hostClocks = ['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate'].map(
  (name) => ({ name, message: 'Nothing below ui/ reads or waits on the host clock (rule 5).' }),
);

export default tseslint.config(
  { ignores: ['node_modules', '.build', 'dist', '**/dist'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'prefer-const': 'error',
      eqeqeq: 'error',
      'require-yield': 'off',
    },
  },
  {
    files: ['{kernel,hooks,bpf,hw,user,scenarios,ui}/**/*.ts'],
    ignores: ['**/*.test.ts'],
    plugins: { skep: { rules: { layering } } },
    rules: { 'skep/layering': 'error' },
  },
  {
    files: ['{kernel,hooks,bpf,hw,user,scenarios}/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': ['error', ...hostClocks],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Use the machine’s seeded generator.' },
      ],
    },
  },
  { files: ['**/*.{js,mjs}'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
);
