import { mount } from 'svelte';
import App from './App.svelte';
import { loadNeeded } from './lib/fonts';
import './style/tokens.css';
import './style/base.css';

const target = document.getElementById('page');
if (target) {
  loadNeeded();
  mount(App, { target });
}
