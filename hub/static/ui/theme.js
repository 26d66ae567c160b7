"use strict";(()=>{try{let e=localStorage.getItem("beacon.theme");(e==="dark"||e==="light")&&(document.documentElement.dataset.theme=e)}catch{}})();
