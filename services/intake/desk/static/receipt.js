// The receipt's print button.
document.getElementById('print').addEventListener('click', () => print());
