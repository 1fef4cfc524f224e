/** binaryen under a path that a page can import from the development server. */
export { default } from 'binaryen';
