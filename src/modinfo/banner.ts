// The declaration as the comment that a module's file holds, for the banner of a bundler.

import { checkDeclaration, type ModuleDeclaration } from '../core.js';

/**
 * The comment that declares a module; put it into its file once, anywhere. It begins with `/*!`, which bundlers keep.
 * @throws COEXIST_EINVAL naming the property and its value
 * @since 0.1.0
 */
export function banner(declaration: ModuleDeclaration): string {
  checkDeclaration(declaration);
  // In parts, so that this file itself declares nothing.
  return ['/*!', 'coexist-module', JSON.stringify(declaration).replaceAll('*/', '*\\/'), '*/'].join(' ');
}
