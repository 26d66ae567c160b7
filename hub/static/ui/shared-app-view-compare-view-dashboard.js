import{l as t}from"./shared-app-view-compare-view-dashboard-view-hints-view-replay-view-trace-view-travel.js";var o=t(!1);export{o as a};
